"""Who is signed in: WeChat logins, sessions, staff, hospitals and their machine clients."""
