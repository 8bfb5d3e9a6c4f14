"""Speed of training steps and of exploration, side by side with ways that share nothing (`srpo bench`)."""
