"""Networks, layers, parametrisations and initialisations."""
