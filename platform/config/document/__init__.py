"""What the OpenAPI document holds beside what each endpoint says of itself."""
