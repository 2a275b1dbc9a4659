"""The interface that hospital systems already speak (docs/interfaces/tencent.md). No rule lives here."""
