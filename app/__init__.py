"""People and programs: command line and pages."""
