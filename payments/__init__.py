"""Credit lines, the ledger, gateways."""
