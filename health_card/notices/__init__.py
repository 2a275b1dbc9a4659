"""What a person is told: shown in the app, and sent to the phones of those who act for the person."""
