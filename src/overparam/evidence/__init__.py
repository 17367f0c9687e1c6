"""How figures become verdicts: cells, scales, intervals, evidence."""
