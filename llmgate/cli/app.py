"""The commands together, and how every error becomes one line and an exit code."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated, Any

import typer

from .. import __version__
from ..errors import ConfigError, GateError, PolicyDenied
from . import bom, chat, check, compare, config, doctor, ledger, licenses, lineage, models, notices, registry, usage
from .output import complain, flowing

FAILED, WRONG, DENIED, NO_EVIDENCE, INTERRUPTED, PIPE_CLOSED = 1, 2, 4, 5, 130, 141
"""Exit codes: a failed call, the user's mistake, a call that policy denied, one denied for want of evidence;
then Ctrl-C and a reader who went away, as shells number them."""

app = typer.Typer(
    name="llmgate",
    help="One client for every model, that knows what each model's licence lets you do.",
    epilog="Exit codes: 0 fine, 1 a call failed, 2 your mistake, 4 policy denied it, 5 for want of evidence.",
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    chat.chat,
    models.models,
    check.check,
    check.why,
    licenses.licenses,
    compare.compare,
    notices.notices,
    bom.bom,
    lineage.lineage,
    usage.usage,
    doctor.doctor,
):
    app.command(help=flowing(_command.__doc__))(_command)
for _name, _help, _commands in (
    ("config", "The config, llmgate.toml.", (config.check,)),
    ("registry", "The registry's data.", (registry.check, registry.audit)),
    ("ledger", "The record of calls.", (ledger.verify,)),
):
    _group = typer.Typer(help=_help)
    for _each in _commands:
        _group.command(_each.__name__, help=flowing(_each.__doc__))(_each)
    app.add_typer(_group, name=_name)


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        print(f"llmgate {__version__}")
        raise typer.Exit
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


def run(arguments: list[str]) -> int:
    """Runs a command line; returns the exit code. No error of llmgate or of the user's leaves a traceback."""
    warnings.showwarning = _show_warning
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # None where the shell closed it.
        stream = getattr(sys, name) or open(os.devnull, mode, encoding="utf-8")  # noqa: SIM115 - for the process
        setattr(sys, name, stream)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a letter that a terminal lacks is no reason to fail
    command = typer.main.get_command(app)
    try:
        code = command(arguments, prog_name="llmgate", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except typer.TyperException as error:
        complain(_usage(error))
        return error.exit_code
    except GateError as error:
        complain(error)
        return code_of(error)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has had enough; what is still buffered must not fail at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED


def code_of(error: GateError) -> int:
    """The exit code for an error."""
    if isinstance(error, PolicyDenied):
        unknown = error.decisions and all(d.verdict == "unknown" for d in error.decisions)
        return NO_EVIDENCE if unknown else DENIED
    return WRONG if isinstance(error, ConfigError) else FAILED


def _usage(error: Any) -> str:
    """A usage error in one line: what is wrong, the nearest name, where the help is."""
    message = error.message if getattr(error, "possibilities", None) else error.format_message()
    if near := getattr(error, "possibilities", None):
        message += f'; did you mean "{near[0]}"?'
    context = getattr(error, "ctx", None)
    return f"{message.rstrip('.')} (see {context.command_path if context else 'llmgate'} --help)"


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Warnings of ours as one line; those of libraries are for their developers."""
    if str(message).startswith("llmgate: "):
        complain(str(message).removeprefix("llmgate: "))
