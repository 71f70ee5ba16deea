"""What the papers' two coarse generators minimise: FOMM (arXiv 2003.00196) and Face vid2vid (arXiv 2011.15126)."""
