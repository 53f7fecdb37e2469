using Ingot.Evaluation.Segmentation;

namespace Ingot.Evaluation;

/// <summary>Texts to words, and words to numbers that hold for one segment: the same word has the same number.</summary>
internal sealed class SegmentWords(SegmentTokenizer tokenizer, bool lowercase)
{
    private readonly TokenTable _table = new();
    private readonly CharBuffer _lower = new();
    private readonly CharBuffer _separated = new();
    private int[] _ids = new int[64];
    private int _count;

    /// <summary>Forgets all words, for the next segment.</summary>
    public void Clear() => _table.Clear();

    /// <summary>The words of a reference, which are numbered if they are new; valid until the next text is read.</summary>
    public ReadOnlySpan<int> Read(ReadOnlySpan<char> text) => Number(text, add: true);

    /// <summary>The words of a hypothesis, where −1 is one that no reference has.</summary>
    public ReadOnlySpan<int> Find(ReadOnlySpan<char> text) => Number(text, add: false);

    private ReadOnlySpan<int> Number(ReadOnlySpan<char> text, bool add)
    {
        if (lowercase)
        {
            _lower.Clear();
            PythonText.AppendLower(_lower, text);
            text = _lower.Span;
        }

        text = tokenizer.Separate(PythonText.TrimEnd(text), _separated);
        _count = 0;
        while (PythonText.NextWord(ref text, out var word))
        {
            if (_count == _ids.Length)
                Array.Resize(ref _ids, 2 * _count);
            _ids[_count++] = add ? _table.Add(word) : _table.Find(word);
        }

        return _ids.AsSpan(0, _count);
    }
}
