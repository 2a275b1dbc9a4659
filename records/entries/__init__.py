"""What a life is made of beside reports and images: problems, allergies, medication, vaccinations, orders ..."""
