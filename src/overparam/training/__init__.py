"""How networks are fitted: the batched ensemble engine and what plugs into it."""
