"""Running the platform: the pages and the machine interface of operator, security and audit administrator."""
