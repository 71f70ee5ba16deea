from fadm.evaluation.published import WARNING, published_table, read_published


def test_figures_keep_their_digits():
    rows = read_published()
    assert len(rows) == 9 and rows[3].figures["PSNR"] == "24.434" and rows[8].figures["CSIM"] == "0.6366"
    assert all(row.source.startswith("arXiv ") for row in rows)


def test_a_table_says_that_it_does_not_compare():
    same, cross = (published_table(is_cross_identity=is_cross) for is_cross in (False, True))
    assert same[0] == cross[0] == WARNING and "not comparable" in WARNING
    assert len(same) == 4 + 6 and len(cross) == 4 + 3
    assert same[-1].startswith("| FADM without motion condition | VoxCeleb, same identity, 256 px | 0.0407 |")
