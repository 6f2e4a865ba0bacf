"""
Check the type hashes of built messages.

``check_type_hashes.py EXPECTED SHARE`` compares lines ``TYPE HASH`` of the file EXPECTED with
SHARE/msg/TYPE.json, which rosidl writes from Iron on. Exit status 1 if one differs: such a
message would not be received by anyone who has the real package.
"""

import json
from pathlib import Path
import sys


def read_expected(path: Path) -> dict[str, str]:
    """:returns: message name to hash."""
    return dict(line.split() for line in path.read_text(encoding='utf-8').splitlines())


def built_hash(share: Path, name: str) -> str:
    """:returns: the hash that was built; of the message itself, not of those inside it."""
    description = json.loads((share / 'msg' / f'{name}.json').read_text(encoding='utf-8'))
    wanted = f'{share.name}/msg/{name}'
    return next(t['hash_string'] for t in description['type_hashes'] if t['type_name'] == wanted)


def main() -> int:
    expected, share = read_expected(Path(sys.argv[1])), Path(sys.argv[2])
    if not any((share / 'msg').glob('*.json')):
        return 0  # Humble: there are no type hashes yet
    wrong = 0
    for name, wanted in expected.items():
        came = built_hash(share, name)
        if came != wanted:
            print(f'{share.name}/{name}: type hash {came}, expected {wanted}: correct the fields')
            wrong = 1
    return wrong


if __name__ == '__main__':
    sys.exit(main())
