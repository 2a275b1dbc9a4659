"""What is sensitive, and when a patient sees what was made of him: decided at filing, by rule."""
