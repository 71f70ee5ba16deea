"""`fadm weights`: import the papers' released files; list, show, convert and verify weights."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Import, list, show, convert and verify weights.")


@app.command("import")
def import_files(
    files: Annotated[list[Path], typer.Argument(help="Released files: .pth, .tar, .pkl or .npy.")],
    name: Annotated[str | None, typer.Option(help="Name for the imported weights; their kind by default.")] = None,
) -> None:
    """Convert released files of FADM, FOMM, Face vid2vid, DECA and FLAME without running code from them."""
    from rich.console import Console

    from fadm.errors import OptionError
    from fadm.weights.released.importer import import_weights

    if name is not None and len(files) > 1:
        raise OptionError(f"--name {name} is for one file, {len(files)} were given: import them one by one")
    console = Console()
    for file in files:
        imported = import_weights(file, name)
        console.print(
            f"{file}: {imported.kind}, {imported.num_tensors} tensors, {imported.num_values:,} values "
            f"-> {imported.path}",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )
        if imported.left_out:
            note = f"  left out: {', '.join(imported.left_out)}"
            console.print(note, soft_wrap=True, markup=False, highlight=False)


@app.command("list")
def list_all() -> None:
    """List the weights that can be used by name."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from fadm.weights.registry import list_weights

    table = Table("name", "kind", "size", "licence", "commercial", "file")
    for weights in list_weights():
        size = f"{weights.path.stat().st_size / 1e6:.1f} MB"
        is_allowed = "yes" if weights.allows_commercial else "no"
        location = "(with the package)" if weights.is_embedded else str(weights.path)
        table.add_row(*map(Text, (weights.name, weights.kind, size, weights.licence, is_allowed, location)))
    Console().print(table)


@app.command()
def show(name: Annotated[str, typer.Argument(help="Name or file of the weights.")]) -> None:
    """Show the metadata of a weights file, including its configuration."""
    from rich.console import Console

    from fadm.weights.registry import find_weights
    from fadm.weights.store import read_metadata

    path = find_weights(name)
    console = Console()
    console.print_json(data={"file": str(path), **read_metadata(path)})


@app.command()
def halve(
    name: Annotated[str, typer.Argument(help="Name or file of the weights.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The converted file, .safetensors.")],
) -> None:
    """Convert weights to half precision, for distribution."""
    from rich.console import Console

    from fadm.weights.registry import find_weights
    from fadm.weights.store import halve_weights

    path = find_weights(name)
    halve_weights(path, output)
    sizes = " -> ".join(f"{file}, {file.stat().st_size / 1e6:.1f} MB" for file in (path, output))
    Console().print(sizes, soft_wrap=True, markup=False, highlight=False)


@app.command()
def verify(
    names: Annotated[list[str] | None, typer.Argument(help="Names or files; all by default.")] = None,
) -> None:
    """Compare the tensors of weights with the hash stored in their file."""
    from rich.console import Console

    from fadm.errors import WeightsError
    from fadm.weights.registry import find_weights, named_files
    from fadm.weights.store import verify_weights

    paths = [find_weights(name) for name in names] if names else list(named_files().values())
    console, num_damaged = Console(), 0
    for path in paths:
        try:
            message = f"{path}: intact, sha256 {verify_weights(path)['sha256']}"
            console.print(message, soft_wrap=True, markup=False, highlight=False)
        except WeightsError as error:
            num_damaged += 1
            console.print(str(error), style="red", soft_wrap=True, markup=False, highlight=False)
    if num_damaged:
        raise WeightsError(f"{num_damaged} of {len(paths)} weights files are damaged: import them again")
