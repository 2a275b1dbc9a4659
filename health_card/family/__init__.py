"""Who acts for whom: newborns, children, relatives, invitations, and what a desk has checked."""
