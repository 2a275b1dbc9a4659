"""Who a person is, which card they hold, is this code genuine."""
