"""What people own: accounts at venues, read and valued; partial answers are labelled, never filled up."""
