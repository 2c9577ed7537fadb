from __future__ import annotations

from dataclasses import replace

import pandas as pd
from helpers.score_rows import ROW

from mirprobe.reporting.extra_tables import reading_tables, tables_beside


def test_a_table_has_the_readings_of_each_encoder_best_first() -> None:
    rows = []
    for encoder, value in (("mfcc", 0.5), ("vit1d", 0.75)):
        own = replace(ROW, encoder=encoder, selected=False, main=False)
        for draw, shift in enumerate((-0.125, 0.125)):
            shown = replace(own, draw=draw, value=value + shift)
            rows += [replace(shown, kind="retrieval", metric="map"), replace(shown, kind="pca")]
            rows.append(replace(shown, kind="code", metric="compression", value=2.0))
    [(title, table)] = tables_beside(pd.DataFrame(rows))
    assert title.startswith("other readings: ")
    assert table == [
        [("encoder", "vit1d"), ("mAP", "0.750"), ("compression", "2.000")],
        [("encoder", "mfcc"), ("mAP", "0.500"), ("compression", "2.000")],
    ]
    assert reading_tables(pd.DataFrame([ROW])) == []
