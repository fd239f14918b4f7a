"""What starts runs without a person: schedules by the clock, triggers by a signed call."""
