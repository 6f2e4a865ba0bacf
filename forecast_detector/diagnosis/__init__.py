"""Looking into weights: is the scheduler right, are the forecasts, and what happens at a cut?"""
