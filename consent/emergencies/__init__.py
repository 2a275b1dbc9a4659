"""Break-glass: a doctor sees a record without the patient's consent, and answers for it."""
