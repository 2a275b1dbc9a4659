"""The ports at which hospitals send HL7 v2 messages, at the machine interface."""
