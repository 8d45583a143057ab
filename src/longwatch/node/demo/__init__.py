"""What shows or tries the whole without hardware: `post` (`longwatch demo`), `network` (`demo --network`), `fleet` with `fleet_posts` and `fleet_page`
(`longwatch simulate fleet`). Owner of what each makes, all of which goes when it ends.
"""
