"""`python -m llmgate.registry [compile | refresh ...]`: checks the data of a source checkout, compiles it into the
artefact, or refreshes it from public feeds."""

from __future__ import annotations

import sys
from pathlib import Path

from ..errors import ConfigError
from . import ARTEFACT
from .read import compile_to, read_folder

SOURCE = Path(__file__).parents[2] / "registry"


def main(arguments: list[str]) -> int:
    try:
        if arguments[:1] == ["refresh"]:
            from .refresh import main as refresh

            return refresh(arguments[1:], SOURCE)
        data = compile_to(SOURCE, ARTEFACT) if "compile" in arguments else read_folder(SOURCE)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    offers = sum(len(p.offer) for p in data.providers)
    print(
        f"{len(data.models)} models, {len(data.licenses)} licenses, "
        f"{len(data.providers)} providers with {offers} offers: all well"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
