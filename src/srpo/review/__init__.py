"""Review by people: a local page over an append-only database (`docs/review.md`).  The page shows, people decide."""
