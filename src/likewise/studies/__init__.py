"""What to try: presets, fitting, benchmarks, comparison, tuning."""
