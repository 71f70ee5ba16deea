"""Load a renderer and show its terms and configuration: python examples/load_weights.py [WEIGHTS].

WEIGHTS is a name (`fadm weights list`), a .safetensors file, or a released FADM checkpoint (.pth), which is imported
first, without running code from it, as `fadm weights import` does. By default it is the shipped renderer.
"""

import sys
from pathlib import Path

import fadm
from fadm.weights.registry import describe_weights
from fadm.weights.released.importer import import_weights


def main(weights: str) -> None:
    name: str | Path = weights
    if weights.endswith((".pth", ".tar")):
        name = import_weights(Path(weights)).path  # in the weights folder, where its name is its kind: fadm
    described = describe_weights(name)
    print(f"{described.name}: a network of kind {described.kind}, attributes {described.attributes}")
    print(f"terms of use: {described.licence}")
    renderer = fadm.load_renderer(name)  # fadm.load_coarse loads FOMM and Face vid2vid
    print(f"configuration: {renderer.config}")
    print(f"parameters: {sum(p.numel() for p in renderer.parameters()):,}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "fadm_small")
