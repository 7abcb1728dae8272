"""`python -m llmgate.registry [compile] [schema] [coverage] | refresh ...`: checks the data of a source checkout;
compiles it into the artefact, writes the editors' schemas and the page of what is covered; refreshes it from feeds."""

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
        if unknown := set(arguments) - {"compile", "schema", "coverage"}:
            raise ConfigError(
                f"there is no {', '.join(sorted(unknown))}: compile, schema, coverage or refresh is wanted"
            )
        data = compile_to(SOURCE, ARTEFACT) if "compile" in arguments else read_folder(SOURCE)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if "schema" in arguments:
        from .json_schema import texts

        for name, text in texts().items():
            (SOURCE / "schema" / f"{name}.json").write_text(text, "utf-8")
    if "coverage" in arguments:
        from .coverage import page

        (SOURCE.parent / "docs" / "coverage.md").write_text(page(data), "utf-8")
    offers = sum(len(p.offer) for p in data.providers)
    print(
        f"{len(data.models)} models, {len(data.licenses)} licenses, "
        f"{len(data.providers)} providers with {offers} offers: all well"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
