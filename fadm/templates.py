"""HTML pages from Jinja2 templates, which lie beside the code that fills them in."""

from base64 import b64encode
from typing import Any


def render_page(package: str, name: str, **values: Any) -> str:
    """Fill in a template; every value is escaped.

    Args:
        package: Package in whose folder the template lies, such as `fadm.evaluation.outputs`.
        name: File name of the template, such as `report.html.j2`.
        **values: What the template shows, by the names that it uses. Its filter `base64` encodes bytes.

    Returns:
        The page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    pages = Environment(
        loader=PackageLoader(package, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters["base64"] = lambda content: b64encode(content).decode()
    return pages.get_template(name).render(values)
