namespace Ingot.Evaluation.Segmentation;

/// <summary>
/// Sets the tokens of a segment apart with white space, as a metric wants them; what the words then are, <see cref="PythonText.NextWord"/>
/// says. Tokenizers have no state and serve all threads.
/// </summary>
internal abstract class SegmentTokenizer
{
    private static readonly Dictionary<string, Func<SegmentTokenizer>> Known = new()
    {
        ["13a"] = () => new Tokenizer13a(),
        ["intl"] = () => new TokenizerIntl(),
        ["zh"] = () => new TokenizerZh(),
        ["char"] = () => new TokenizerChar(),
        ["none"] = () => new TokenizerNone(),
    };

    /// <summary>The names that <see cref="Create"/> knows.</summary>
    public static IReadOnlyCollection<string> Names => Known.Keys;

    /// <summary>The name, as signatures say it.</summary>
    public abstract string Name { get; }

    /// <summary>The tokenizer of that name.</summary>
    /// <exception cref="ArgumentException">There is none; the message has those that there are.</exception>
    public static SegmentTokenizer Create(string name) => Known.TryGetValue(name, out var create) ? create() : throw new ArgumentException(
        $"there is no tokenizer \"{name}\"{(NearestName.Find(name, Names) is { } near ? $": did you mean {near}?" : ".")}"
        + $" The tokenizers are {string.Join(", ", Names)}");

    /// <summary>The segment with its tokens set apart: the segment itself, or what was written to the buffer.</summary>
    public abstract ReadOnlySpan<char> Separate(ReadOnlySpan<char> segment, CharBuffer buffer);
}
