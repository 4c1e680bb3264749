"""Pure: what a month used becomes shares and forecasts; what is kept awake stays within its hours and its allowance."""
