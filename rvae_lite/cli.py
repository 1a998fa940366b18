"""The command line: your own data (extract, distil, train, compare), notebooks, studies."""

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer

from rvae_lite.lab import commands
from rvae_lite.lab.extracting import extract
from rvae_lite.publishing import printable

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False
)

for command in (extract, commands.distil, commands.train, commands.compare, commands.inspect):
    app.command()(command)


@app.command()
def study(
    name: Annotated[
        str | None, typer.Argument(help="Which study; without one, all are listed.")
    ] = None,
    profile: Annotated[
        str,
        typer.Option(
            help="quick: minutes on a laptop; cpu: hours on two cores; paper: the paper's scale."
        ),
    ] = "quick",
    out: Annotated[
        Path | None, typer.Option(help="Folder for units and table; by default results/.")
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Just the units whose name contains this; no table.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Run so many units at once, in processes of this machine."),
    ] = None,
    scheduler: Annotated[
        str | None,
        typer.Option(help="Run the units on the workers of a Dask scheduler, tcp://HOST:8786."),
    ] = None,
):
    r"""Run the study behind a table or figure; resumes after the last finished unit.

    --workers and --scheduler need pip install "rvae_lite\[cluster]".

    RVAE_LITE_STUDIES names a folder of more studies: a file NAME.py there
    that says `study = Study("NAME", ...)` is one.

    Examples:

    rvae-lite study eight_gaussians --profile paper --out my_results

    rvae-lite study mnist --profile cpu --workers 2
    """
    from rvae_lite.studies.running import run_study
    from rvae_lite.studies.study import study_lines

    if name is None:
        for line in study_lines(("name", "reproduces", "minutes")):
            typer.echo("{:18}{:55}{}".format(*line).rstrip())
        return
    if out is None and profile == "quick":
        out = Path("results-quick")  # the committed tables are of larger profiles
    options = dict(out=out, only=only, workers=workers, scheduler=scheduler)
    table = run_study(name, profile, **options)
    if table is not None:
        typer.echo(f"{len(table)} rows in {(out or Path('results')) / (name + '.csv')}")


app.command("recipe", hidden=True)(study)  # its older name


@app.command()
def run(
    notebooks: Annotated[
        list[str] | None, typer.Argument(help="Names such as 10_eight_gaussians; all by default.")
    ] = None,
    profile: Annotated[
        str, typer.Option(help="quick: the notebooks' defaults; cpu, paper: profiles.yml's values.")
    ] = "quick",
    folder: Annotated[Path, typer.Option(help="Folder of the notebooks and profiles.yml.")] = Path(
        "notebooks"
    ),
    out: Annotated[Path, typer.Option(help="Where the executed copies go.")] = Path(
        "_build/executed"
    ),
):
    """Execute notebooks with papermill in a profile; the originals are left alone.

    Example: rvae-lite run 11_digits --profile paper --out executed
    """
    try:
        import papermill
        import yaml
    except ImportError as error:
        raise ImportError('papermill is missing: pip install "rvae_lite[notebooks]"') from error

    known = sorted(path.stem for path in folder.glob("*.ipynb"))
    unknown = [name for name in notebooks or [] if name not in known]
    if unknown or not known:
        missing = ", ".join(unknown) or "at all"
        raise ValueError(f"no notebook {missing} in {folder}; there are {known}: see --folder")
    profiles = {"quick": {}} | (yaml.safe_load((folder / "profiles.yml").read_text()) or {})
    if profile not in profiles:
        raise ValueError(f"--profile must be one of {', '.join(profiles)}, not {profile!r}")
    out.mkdir(parents=True, exist_ok=True)
    for name in notebooks or known:
        parameters = profiles[profile].get(name, {})
        target = out / f"{name}.ipynb"
        papermill.execute_notebook(
            str(folder / f"{name}.ipynb"),
            str(target),
            parameters=parameters,
            cwd=str(folder),
            progress_bar=True,
        )
        typer.echo(f"{name} ({profile}) is in {target}")


def main() -> None:
    """Entry point: an error is one sentence on stderr and exit code 1; an interrupt is 130."""
    _open_streams()
    usage_error = typer.BadParameter.__base__.__base__  # whichever Click it is that typer stands on
    warnings.showwarning = lambda message, *_, **__: print(
        f"rvae-lite: note: {_sentence(message)}", file=sys.stderr
    )
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False) or 0)
    except usage_error as error:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "rvae-lite"
        sys.exit(f"rvae-lite: {_sentence(error.format_message())} (see {command} --help)")
    except BrokenPipeError:
        sys.stdout = None  # who read it, as head, has gone
        sys.exit(1)
    except (ValueError, OSError, FloatingPointError, MemoryError, ImportError) as error:
        sys.exit(f"rvae-lite: {_sentence(_reason(error)) or type(error).__name__}")
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)


def _reason(error: Exception):
    """What an error says, and of which file."""
    reason = getattr(error, "strerror", None) or error
    file = getattr(error, "filename", None)
    return reason if file is None or str(file) in str(reason) else f"{reason}: {file}"


def _sentence(text) -> str:
    return printable(" ".join(str(text).split()))


def _open_streams() -> None:
    """Streams that were closed become silent; a console without a letter shows its code."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            nothing = os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, os.fdopen(nothing, "r" if name == "stdin" else "w"))
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
