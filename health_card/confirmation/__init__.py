"""The patient confirms on the phone: with a PIN, or with a tap on what a desk asks."""
