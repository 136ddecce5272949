"""The comparison as a LaTeX table in booktabs' style."""

from typing import Any, Final

from genrec.comparing.words import METRICS, half_width, name_of, notes, seen_of, time_of, title, weights_of

_SPECIAL: Final = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "†": r"$\dagger$",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
}


def escaped(text: str) -> str:
    r"""Text as LaTeX reads it.

    >>> print(escaped("50% of a_b ~ {x}"))
    50\% of a\_b \textasciitilde{} \{x\}
    """
    return "".join(_SPECIAL.get(mark, mark) for mark in text)


def latex_table(result: dict[str, Any]) -> str:
    """A tabular with its notes as comments, of what `genrec.comparing.compare.compare` returns."""
    rows = result["rows"]
    comments = [title(result), r"Needs \usepackage{booktabs}. Bold: best, underlined: second.", *notes(result)]
    header = ["Model", "Seen items", *METRICS, "Training", "Weights"]
    lines = [
        *(f"% {' '.join(text.split())}" for text in comments),
        rf"\begin{{tabular}}{{ll{'r' * len(METRICS)}rr}}",
        r"\toprule",
        _line([escaped(name) for name in header]),
    ]
    for excluded in (False, True):
        mine = [row for row in rows if row["exclude_seen"] == excluded]
        lines += [r"\midrule"] if mine else []
        for row in mine:
            values = [_value(row, metric) for metric in METRICS]
            facts = [escaped(time_of(row)), escaped(weights_of(row))]
            lines.append(_line([escaped(name_of(row)), seen_of(row), *values, *facts]))
            if row["published"]:
                lines.append(_published(row))
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _line(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"


def _value(row: dict[str, Any], metric: str) -> str:
    value = row["metrics"][metric]
    text = f"{value:.4f}"
    if metric in row["best"]:
        text = rf"\textbf{{{text}}}"
    elif metric in row["second"]:
        text = rf"\underline{{{text}}}"
    return rf"{text} {{\scriptsize $\pm$ {half_width(row['intervals'][metric], value):.4f}}}"


def _published(row: dict[str, Any]) -> str:
    found = row["published"]
    values = [f"{found['metrics'][metric]:.4f}" if metric in found["metrics"] else "" for metric in METRICS]
    return _line([rf"\quad \emph{{{escaped(found['words'])}}}", "", *values, "", ""])
