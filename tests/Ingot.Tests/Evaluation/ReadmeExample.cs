namespace Ingot.Tests.Evaluation;

/// <summary>The example of sacreBLEU's README, whose scores its tests and documentation give.</summary>
internal static class ReadmeExample
{
    public static readonly string[] Hypotheses = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."];

    public static readonly string[][] References =
    [
        ["The dog bit the man.", "It was not unexpected.", "The man bit him first."],
        ["The dog had bit the man.", "No one was surprised.", "The man had bitten the dog."],
    ];
}
