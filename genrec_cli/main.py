"""The `genrec` application: registers the commands and turns errors into one line and an exit code."""

import os
import signal
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from genrec.errors import GenRecError, TerminatedError
from genrec.ranks import is_main
from genrec_cli import compare as comparing
from genrec_cli import doctor, export, inspect, prepare, recommend, runs
from genrec_cli import eval as evaluation
from genrec_cli import train as training
from genrec_cli import tune as tuning
from genrec_cli.options import State


class _Group(TyperGroup):
    """Runs a command; an error becomes one red line on stderr and exit code 1 (130 on Ctrl-C, 143 on SIGTERM)."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except GenRecError as error:
            if State.debug:
                raise
            _fail(str(error), 1)
        except KeyboardInterrupt:
            _fail("stopped", 130)
        except TerminatedError as error:
            _fail(str(error), 143)
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except OSError as error:
            if State.debug:
                raise
            where = f"{error.filename}: " if error.filename else ""
            _fail(f"{where}{error.strerror or error}", 1)
        except Exception as error:
            if State.debug or _is_usage_error(error):
                raise
            message = f"unexpected {type(error).__name__}: {error}"
            _fail(f"{message}; run again with --debug and report the traceback as a bug", 1)


def _is_usage_error(error: Exception) -> bool:
    """Typer's own errors (wrong usage) carry the exit code and know how to show themselves."""
    return hasattr(error, "exit_code") and hasattr(error, "format_message")


def _fail(message: str, code: int) -> None:
    from genrec_cli.render import print_error

    if is_main():  # of several processes that train together one speaks
        print_error(message)
    raise typer.Exit(code)


app = typer.Typer(
    cls=_Group,
    name="genrec",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        from genrec import __version__

        print(f"genrec {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn an interaction log into a generative sequential recommender, judge it, and ship it as ONNX.

    A first session:

        genrec prepare movielens-100k -o data/ml

        genrec train data/ml -o runs/ml --preset tiny

        genrec eval runs/ml --against popularity

        genrec export runs/ml -o exports/ml

        genrec recommend exports/ml 196
    """
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


app.command()(prepare.prepare)
app.command()(inspect.inspect)
app.command()(training.train)
app.command()(training.pretrain)
app.command()(training.finetune)
app.command("eval")(evaluation.evaluate)
app.command()(comparing.compare)
app.command()(tuning.tune)
app.command()(runs.runs)
app.command()(runs.plot)
app.command()(export.export)
app.command()(recommend.recommend)
app.command()(doctor.doctor)


def _interrupt(*_: object) -> None:
    """Ctrl-C. Python drops an exception that is raised inside an import's bookkeeping, hence the note."""
    State.interrupted = True
    raise KeyboardInterrupt


def main() -> None:
    """Run the application on the process's arguments."""
    # Torch's threads wait for each other hundreds of times a step. Spinning ten times as long halves the speed
    # where other processes use the cores too, a tenth as long costs a tenth in any case, not at all a quarter.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "30000")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    app(args=sys.argv[1:], prog_name="genrec")
