using System.Runtime.InteropServices;

namespace Ingot.Generation;

/// <summary>
/// How the settings turn into draws. Temperature, top-k, top-p and min-p are done by the op <c>sample</c>, on the device. What comes
/// before them in Hugging Face's order changes the logits first; what comes after them makes it necessary to do all on the host.
/// </summary>
internal sealed class TokenChooser
{
    private readonly GenerationOptions _options;
    private readonly IReadOnlyList<int> _ends;
    private readonly bool _filtersOnHost;

    public TokenChooser(GenerationOptions options, IReadOnlyList<int> ends)
    {
        (_options, _ends) = (options, ends);
        _filtersOnHost = !options.IsGreedy && (options.TypicalP != 1 || options.EpsilonCutoff != 0 || options.EtaCutoff != 0);
        WorksOnHost = _filtersOnHost || LogitsProcessors.AreNeeded(options);
        DrawSettings = options.IsGreedy ? [0, 0, 1, 0]
            : _filtersOnHost ? [1, 0, 1, 0]
            : [(float)options.Temperature, options.TopK, (float)options.TopP, (float)options.MinP];
    }

    /// <summary>Whether <see cref="Process"/> has anything to do.</summary>
    public bool WorksOnHost { get; }

    /// <summary>{temperature, top-k, top-p, min-p} of the op.</summary>
    public float[] DrawSettings { get; }

    /// <summary>Changes a sequence's logits, all finite, to what the op draws from.</summary>
    /// <exception cref="ArgumentException">The settings rule out every token; the message says which.</exception>
    public void Process(Span<float> logits, Sequence sequence)
    {
        LogitsProcessors.Apply(logits, new LogitsContext(CollectionsMarshal.AsSpan(sequence.Tokens), sequence.Prompt.Count,
            sequence.MaxNewTokens, _ends), _options);
        if (!_filtersOnHost)
            return;

        // From the greatest, so that a low temperature cannot make it infinite.
        var greatest = logits[Probabilities.MostLikely(logits)];
        for (var id = 0; id < logits.Length; id++)
            logits[id] = (float)((logits[id] - greatest) / _options.Temperature);
        LogitsProcessors.TopK(logits, _options.TopK);
        LogitsProcessors.TopP(logits, _options.TopP);
        LogitsProcessors.MinP(logits, _options.MinP);
        LogitsProcessors.TypicalP(logits, _options.TypicalP);
        LogitsProcessors.EpsilonCutoff(logits, _options.EpsilonCutoff);
        LogitsProcessors.EtaCutoff(logits, _options.EtaCutoff);
    }
}
