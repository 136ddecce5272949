"""`genrec doctor`."""

from typing import Any

import typer

from genrec_cli.options import Debug, Force, Json


def doctor(json: Json = False, debug: Debug = False, force: Force = False) -> None:
    """Show versions, devices and execution providers that really work, what is missing and how to get it.

    Example: genrec doctor --json
    """
    from genrec_cli.render import RichReporter, print_error, print_json

    with RichReporter().status("looking at this machine"):
        from genrec.doctor import examine

        found = examine()
    print_json(found) if json else _print(found)
    if not found["ok"]:
        fatal = [problem for problem in found["problems"] if problem["fatal"]]
        print_error("; ".join(f"{problem['problem']} ({problem['remedy']})" for problem in fatal))
        raise typer.Exit(1)


def _print(found: dict[str, Any]) -> None:
    from rich.text import Text

    from genrec_cli.render import print_facts, stdout

    facts: dict[str, object] = {"python": f"{found['python']} on {found['platform']}"}
    facts |= {name: installed or "not installed" for name, installed in found["packages"].items()}
    print_facts(f"genrec {found['genrec']}", facts)
    memory, disk = found["memory"], found["disk"]
    machine: dict[str, object] = {
        "cores": f"{found['cores']}, of which this process may use {found['threads']} (threads of a bundle)",
        "memory": f"{_gib(memory['available_bytes'])} free of {_gib(memory['total_bytes'])}",
        "disk": f"{_gib(disk['free_bytes'])} free in {disk['folder']}",
    }
    for device in found["devices"]:
        gpu = f"{device['model']}, {_gib(device['memory_bytes'])}" if "model" in device else "works"
        machine[f"torch on {device['name']}"] = gpu
    for name, state in found["providers"].items():
        works = "works" if state["works"] else f"{state['why']}: {state['remedy']}"
        machine[f"onnxruntime on {name.removesuffix('ExecutionProvider')}"] = works
    print_facts("this machine", machine)
    console = stdout()
    for problem in found["problems"]:
        style = "red" if problem["fatal"] else "yellow"
        console.print(Text(f"{problem['problem']}: {problem['remedy']}", style=style), soft_wrap=True)
    if not found["problems"]:
        console.print("Nothing is missing.")


def _gib(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**30:.1f} GiB"
