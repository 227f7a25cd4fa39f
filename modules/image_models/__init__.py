"""Models that look at images, as taggers, captioners, masks and scores share them: found, downloaded, run."""
