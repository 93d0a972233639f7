"""Long texts made of takes: segments called for ahead, checked, played in order, kept for a day."""
