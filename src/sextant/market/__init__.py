"""What is true now: ordered, de-duplicated, gap-checked, with the age of every value; synchronous."""
