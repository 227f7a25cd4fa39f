"""Files that belong to an image by their names."""

from modules.preparing.beside import files_beside


def test_a_file_belongs_to_the_image_with_the_longest_name_that_it_begins_with() -> None:
    keys = [
        "robot.png",
        "robot-2.png",
        "robot.txt",
        "robot-2.txt",
        "robot-masklabel.png",
        "robot-tags.txt",
        "robots.txt",
    ]
    assert files_beside(keys, ["robot.png", "robot-2.png"]) == {
        "robot.png": [
            ("robot-masklabel.png", "-masklabel.png"),
            ("robot-tags.txt", "-tags.txt"),
            ("robot.txt", ".txt"),
        ],
        "robot-2.png": [("robot-2.txt", ".txt")],
    }


def test_names_are_compared_without_capitals_and_within_their_folder() -> None:
    keys = ["a/Robot.PNG", "a/robot.TXT", "b/robot.txt", "robot.txt"]
    assert files_beside(keys, ["a/Robot.PNG"]) == {"a/Robot.PNG": [("a/robot.TXT", ".TXT")]}


def test_another_image_is_no_file_of_an_image() -> None:
    assert files_beside(["robot.png", "robot.old.png"], ["robot.png", "robot.old.png"]) == {}
