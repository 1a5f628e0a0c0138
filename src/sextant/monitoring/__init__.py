"""What is wrong, since when, against which limit: alert lines, incidents, objectives, upstreams."""
