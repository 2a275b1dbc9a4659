"""The life of a card: reported lost, restored, cancelled, issued anew."""
