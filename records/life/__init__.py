"""One life as the stages that the city's programme names."""
