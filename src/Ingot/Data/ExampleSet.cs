namespace Ingot.Data;

/// <summary>Examples to learn from, in memory: texts, conversations, prompts with their answers.</summary>
public sealed class ExampleSet
{
    /// <summary>Takes examples.</summary>
    /// <param name="name">Where they are from, for messages.</param>
    /// <param name="examples">The examples, at least one, none of them empty.</param>
    /// <exception cref="InvalidDataException">There is no example, or nothing is to be learnt from any of them.</exception>
    public ExampleSet(string name, IReadOnlyList<TokenizedExample> examples)
    {
        ArgumentNullException.ThrowIfNull(examples);
        (Name, Examples) = (name, examples);
        TokenCount = examples.Sum(example => (long)example.Tokens.Count);
        TargetCount = examples.Sum(example => example.TargetCount);
        if (examples.Count == 0)
            throw new InvalidDataException($"{name}: there are no examples in it.");
        if (TargetCount == 0)
        {
            throw new InvalidDataException($"{name}: in none of the {examples.Count} examples is a token to be learnt. Prompts need "
                + "answers, and a maximum length must leave some of them.");
        }
    }

    /// <summary>Where the examples are from.</summary>
    public string Name { get; }

    /// <summary>The examples.</summary>
    public IReadOnlyList<TokenizedExample> Examples { get; }

    /// <summary>Tokens of all examples.</summary>
    public long TokenCount { get; }

    /// <summary>Tokens of all examples that are to be learnt.</summary>
    public long TargetCount { get; }

    /// <summary>
    /// Examples of at most so many tokens: of longer ones the beginning or, without truncation, all parts, as examples of their own.
    /// </summary>
    /// <param name="examples">Examples of any length; empty ones are left out.</param>
    /// <param name="maxLength">Most tokens of an example, at least 2.</param>
    /// <param name="truncate">Whether what is too much is left out.</param>
    /// <param name="tooLong">How many examples were too long.</param>
    public static List<TokenizedExample> Limit(IEnumerable<TokenizedExample> examples, int maxLength, bool truncate, out int tooLong)
    {
        ArgumentNullException.ThrowIfNull(examples);
        ArgumentOutOfRangeException.ThrowIfLessThan(maxLength, 2);
        var limited = new List<TokenizedExample>();
        tooLong = 0;
        foreach (var example in examples)
        {
            if (example.Tokens.Count <= maxLength)
            {
                if (example.Tokens.Count > 0)
                    limited.Add(example);
                continue;
            }

            tooLong++;
            for (var start = 0; start < example.Tokens.Count && (start == 0 || !truncate); start += maxLength)
                limited.Add(new TokenizedExample([.. example.Tokens.Skip(start).Take(maxLength)],
                    [.. example.Learned.Skip(start).Take(maxLength)]));
        }

        return limited;
    }

    /// <summary>
    /// Holds back a share of the examples, rounded down: always the same ones of the same number, from all over the set.
    /// </summary>
    /// <returns>The others, and those held back; null for these if the share is less than one example.</returns>
    public (ExampleSet Train, ExampleSet? Validation) Split(double fraction)
    {
        if (!(fraction is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(fraction), fraction, "The share held back must be at least 0 and less than 1.");
        var count = (int)(Examples.Count * fraction);
        if (count == 0)
            return (this, null);
        var order = new Permutation(Examples.Count, seed: 0);
        var heldBack = Enumerable.Range(0, count).Select(place => (int)order[place]).ToHashSet();
        return (new ExampleSet(Name, [.. Examples.Where((_, i) => !heldBack.Contains(i))]),
            new ExampleSet($"{Name} (validation)", [.. Examples.Where((_, i) => heldBack.Contains(i))]));
    }
}
