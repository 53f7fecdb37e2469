using System.Runtime.CompilerServices;
using Ingot.Adapters;
using Ingot.Bindings;
using Ingot.Checkpoints;
using Ingot.Graphs;
using Ingot.Models;
using Ingot.Tokenizers;

namespace Ingot.Generation;

/// <summary>Writes text with a trained model.</summary>
/// <remarks>
/// It writes for one caller at a time. The asynchronous methods wait for their turn and may be called from any thread; the others
/// throw an <see cref="InvalidOperationException"/> while another text is under way. A text is under way until its enumeration ends or
/// is disposed of, as <c>foreach</c> does.
/// </remarks>
/// <example><code>
/// using var generator = TextGenerator.Load("runs/jargon/checkpoints/best");
/// foreach (var piece in generator.Stream("hacker: n.", new GenerationOptions { MaxNewTokens = 100 }))
///     Console.Write(piece);
/// </code></example>
public sealed class TextGenerator : IDisposable
{
    /// <summary>How many texts are written at a time, unless asked for otherwise.</summary>
    public const int DefaultBatchSize = 8;

    private readonly ParameterStore? _parameters; // Null where they are another's.
    private readonly Decoder _decoder;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly GenerationConfig? _config;

    private TextGenerator(ModelConfig model, ParameterStore parameters, Tokenizer tokenizer, GenerationConfig? config,
        IReadOnlyDictionary<string, string>? kernels, bool ownsParameters = true)
    {
        (Model, _parameters, Tokenizer, _config) = (model, ownsParameters ? parameters : null, tokenizer, config);
        _decoder = new Decoder(model, parameters) { Kernels = kernels ?? new Dictionary<string, string>() };
        Options = config?.Options ?? new GenerationOptions();
    }

    /// <summary>The model.</summary>
    public ModelConfig Model { get; }

    /// <summary>The model's tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>The settings of the model's generation_config.json, or else the defaults.</summary>
    public GenerationOptions Options { get; }

    /// <summary>What the model's generation_config.json asks for and Ingot does not do, for people.</summary>
    public IReadOnlyList<string> Warnings => _config?.Warnings ?? [];

    /// <summary>Most tokens that the model sees at once.</summary>
    public int Context => _decoder.Context;

    /// <summary>Loads a model folder: a checkpoint, or one in Hugging Face's layout.</summary>
    /// <exception cref="IOException">A file is missing or cannot be read.</exception>
    /// <exception cref="InvalidDataException">A file's content is wrong; the message names file and place.</exception>
    /// <param name="folder">The folder.</param>
    /// <param name="computeType">dtype of computations: F32 or Bf16.</param>
    /// <param name="device">Where to compute; the CPU if it is null.</param>
    /// <param name="adapter">
    /// Folder of an adapter that is merged into the weights; the model's folder may be that of an adapter itself.
    /// </param>
    /// <param name="kernels">Kernel variants by op or layer/op (<see cref="KernelChoices"/>); the defaults if it is null.</param>
    public static TextGenerator Load(string folder, DType computeType = DType.F32, Device? device = null, string? adapter = null,
        IReadOnlyDictionary<string, string>? kernels = null)
    {
        if (adapter is null && AdapterFiles.IsAdapter(folder))
            (folder, adapter) = (AdapterFiles.FindBase(folder), folder);
        var tokenizer = Tokenizer.Load(folder);
        var config = GenerationConfig.Load(folder);
        var ofAdapter = adapter is null ? null : GenerationConfig.Load(adapter);
        var (model, parameters) = adapter is null
            ? ModelFiles.LoadModel(folder, device ?? Device.Cpu, computeType, training: false)
            : AdapterFiles.LoadMerged(folder, adapter, device ?? Device.Cpu, computeType);
        if (tokenizer.VocabularySize > model.VocabularySize)
        {
            parameters.Dispose();
            throw new InvalidDataException(
                $"{folder}: the tokenizer has {tokenizer.VocabularySize} tokens, the model only {model.VocabularySize}; they do not belong "
                + "together");
        }

        // What an encoder-decoder's texts begin with may be what the adapter was trained on, such as a language.
        return new TextGenerator(model, parameters, tokenizer, model.EncoderDecoder is null ? config : ofAdapter ?? config, kernels);
    }

    /// <summary>
    /// Writes with parameters that are somebody else's, such as those of a model that is being trained, as they are at the time.
    /// </summary>
    internal static TextGenerator Over(ModelConfig model, ParameterStore parameters, Tokenizer tokenizer, GenerationConfig config) =>
        new(model, parameters, tokenizer, config, kernels: null, ownsParameters: false);

    /// <summary>
    /// What the model writes after <paramref name="prompt"/>, piece by piece, without the prompt, and up to the first of
    /// <see cref="GenerationOptions.Stop"/>.
    /// </summary>
    /// <param name="prompt">The beginning that the model continues.</param>
    /// <param name="options">The settings; null for <see cref="Options"/>.</param>
    /// <param name="cancellationToken">Ends it before the next token.</param>
    /// <exception cref="ArgumentException">The prompt is too long, or a setting is out of range; the message names it.</exception>
    /// <exception cref="InvalidOperationException">Another text is under way.</exception>
    public IEnumerable<string> Stream(string prompt, GenerationOptions? options = null, CancellationToken cancellationToken = default) =>
        Locked(Write(_decoder, Tokenizer, prompt, Complete(options, count: 1), cancellationToken));

    /// <summary>The same for asynchronous code: waits for its turn, and computes on another thread.</summary>
    /// <inheritdoc cref="Stream"/>
    public async IAsyncEnumerable<string> StreamAsync(string prompt, GenerationOptions? options = null,
        [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var pieces = Write(_decoder, Tokenizer, prompt, Complete(options, count: 1), cancellationToken);
        await foreach (var piece in Alternating(pieces, cancellationToken).ConfigureAwait(false))
            yield return piece;
    }

    /// <summary>
    /// What the model writes after each of the prompts, <see cref="GenerationOptions.NumReturnSequences"/> texts each, in the order in
    /// which they end. What a prompt gets does not depend on the others.
    /// </summary>
    /// <param name="prompts">The beginnings that the model continues.</param>
    /// <param name="options">The settings; null for <see cref="Options"/>.</param>
    /// <param name="batchSize">How many texts are written at a time; beam search counts each beam, and does one prompt at least.</param>
    /// <param name="cancellationToken">Ends it before the next token.</param>
    /// <exception cref="ArgumentException">A prompt is too long, or a setting is out of range; the message names it.</exception>
    /// <exception cref="InvalidOperationException">Another text is under way.</exception>
    public IEnumerable<GeneratedText> Generate(IReadOnlyList<string> prompts, GenerationOptions? options = null,
        int batchSize = DefaultBatchSize, CancellationToken cancellationToken = default) =>
        Locked(Texts(prompts, Complete(options), batchSize, cancellationToken));

    /// <summary>The same for asynchronous code: waits for its turn, and computes on another thread.</summary>
    /// <inheritdoc cref="Generate"/>
    public async IAsyncEnumerable<GeneratedText> GenerateAsync(IReadOnlyList<string> prompts, GenerationOptions? options = null,
        int batchSize = DefaultBatchSize, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var texts = Texts(prompts, Complete(options), batchSize, cancellationToken);
        await foreach (var text in Alternating(texts, cancellationToken).ConfigureAwait(false))
            yield return text;
    }

    /// <summary>
    /// Tokens of a prompt, with the special ones that it gets: as many as the model would read if its context were long enough.
    /// </summary>
    /// <param name="prompt">The prompt; of an encoder-decoder its source.</param>
    /// <param name="options">The settings; null for <see cref="Options"/>.</param>
    /// <exception cref="ArgumentException">A language is not known or not given.</exception>
    public int CountPromptTokens(string prompt, GenerationOptions? options = null)
    {
        options = Complete(options);
        return _decoder.EncoderDecoder is { } model
            ? SourcePrompt.For(model, Tokenizer, options, Context).Count(prompt)
            : Tokenizer.Tokenize(prompt).Ids.Length;
    }

    /// <summary>The pieces of <see cref="StreamAsync"/> with the sequence that they belong to, which says how it ended.</summary>
    internal async IAsyncEnumerable<(Sequence Sequence, string Piece)> PiecesAsync(string prompt, GenerationOptions options,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        (options, var ends) = Prepare(_decoder, Tokenizer, Complete(options, count: 1));
        var pieces = Pieces(_decoder, Tokenizer, Sequences(_decoder, Tokenizer, [prompt], options), options, ends, 1, cancellationToken);
        await foreach (var piece in Alternating(pieces, cancellationToken).ConfigureAwait(false))
            yield return piece;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _decoder.Dispose();
        _parameters?.Dispose();
        _turn.Dispose();
    }

    internal static IEnumerable<string> Write(Decoder decoder, Tokenizer tokenizer, string prompt, GenerationOptions options,
        CancellationToken cancellationToken = default)
    {
        (options, var ends) = Prepare(decoder, tokenizer, options);
        var sequences = Sequences(decoder, tokenizer, [prompt], options);
        if (options.NumBeams > 1)
        {
            return new BeamSearch(decoder, options, ends, tokens => TextPieces.HasStop(tokenizer, options.Stop, tokens))
                .Search(sequences, options.NumBeams, cancellationToken)
                .Select(found => TextOf(decoder, tokenizer, options, found.Texts[0].Tokens));
        }

        return Pieces(decoder, tokenizer, sequences, options, ends, 1, cancellationToken).Select(written => written.Piece)
            .Where(piece => piece.Length > 0);
    }

    /// <summary>Checks the settings; gives them as they are for this model, and the ids that end a text.</summary>
    private static (GenerationOptions Options, IReadOnlyList<int> Ends) Prepare(Decoder decoder, Tokenizer tokenizer,
        GenerationOptions options)
    {
        options.Validate(decoder.Vocabulary);
        if (decoder.EncoderDecoder is null)
        {
            return options is { SourceLanguage: null, TargetLanguage: null }
                ? (options, options.EosTokenIds ?? (tokenizer.EndOfTextId is { } id ? [id] : []))
                : throw new ArgumentException("languages belong to models that translate between several; this one goes on with a text");
        }

        var source = SourcePrompt.For(decoder.EncoderDecoder, tokenizer, options, decoder.Context);
        return (source.Options, source.Options.EosTokenIds!);
    }

    private static IReadOnlyList<int> Encode(Decoder decoder, Tokenizer tokenizer, string prompt, GenerationOptions options)
    {
        // A chat template writes special tokens itself; other prompts get those that the tokenizer puts around texts.
        var ids = options.HasSpecialTokens ? tokenizer.Encode(prompt) : tokenizer.Tokenize(prompt).Ids;
        return options.Fit(ids.Length > 0 ? ids : [tokenizer.EndOfTextId ?? 0], decoder.Context);
    }

    private static List<Sequence> Sequences(Decoder decoder, Tokenizer tokenizer, IReadOnlyList<string> prompts, GenerationOptions options)
    {
        var sequences = new List<Sequence>();
        for (var i = 0; i < prompts.Count; i++)
        {
            try
            {
                var source = decoder.EncoderDecoder is { } model
                    ? SourcePrompt.For(model, tokenizer, options, decoder.Context).Encode(prompts[i])
                    : null;
                // Of an encoder-decoder, each text has a prompt of its own, by which the writer knows that its source is another.
                var prompt = source is null ? Encode(decoder, tokenizer, prompts[i], options) : [options.DecoderStartTokenId!.Value];
                for (var number = 0; number < options.NumReturnSequences; number++)
                    sequences.Add(new Sequence(prompt, options.Seed + number, options.NewTokens(prompt.Count)) { Source = source });
            }
            catch (Exception e) when (prompts.Count > 1 && e is ArgumentException or InvalidDataException)
            {
                throw new ArgumentException($"prompt {i + 1}: {e.Message}", e);
            }
        }

        return sequences;
    }

    /// <summary>Text as it is written, with its sequence.</summary>
    private static IEnumerable<(Sequence Sequence, string Piece)> Pieces(Decoder decoder, Tokenizer tokenizer,
        IReadOnlyList<Sequence> sequences,
        GenerationOptions options, IReadOnlyList<int> ends, int batchSize, CancellationToken cancellationToken)
    {
        var texts = sequences.ToDictionary(sequence => sequence, _ => PiecesOf(decoder, tokenizer, options));
        cancellationToken.ThrowIfCancellationRequested();
        foreach (var (sequence, token) in new SequenceWriter(decoder, options, ends).Write(sequences, batchSize))
        {
            cancellationToken.ThrowIfCancellationRequested();
            var text = texts[sequence];
            var piece = token >= 0 ? text.Append(token) : "";
            if (text.Stopped)
                sequence.End(FinishReason.Stop);
            if (sequence.Ending is not null)
                piece += text.Finish();
            yield return (sequence, piece);
        }
    }

    private static TextPieces PiecesOf(Decoder decoder, Tokenizer tokenizer, GenerationOptions options) =>
        new(tokenizer, options.Stop, skipSpecialTokens: decoder.EncoderDecoder is not null);

    private static string TextOf(Decoder decoder, Tokenizer tokenizer, GenerationOptions options, IReadOnlyList<int> tokens)
    {
        var pieces = PiecesOf(decoder, tokenizer, options);
        return string.Concat(tokens.Select(pieces.Append)) + pieces.Finish();
    }

    private IEnumerable<GeneratedText> Texts(IReadOnlyList<string> prompts, GenerationOptions options, int batchSize,
        CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batchSize, 1);
        (options, var ends) = Prepare(_decoder, Tokenizer, options);
        var sequences = Sequences(_decoder, Tokenizer, prompts, options);
        if (sequences.Count == 0)
            return [];
        return options.NumBeams > 1
            ? Beams([.. sequences.Where((_, i) => i % options.NumReturnSequences == 0)], options, ends, batchSize, cancellationToken)
            : Drawn(sequences, options, ends, batchSize, cancellationToken);
    }

    private IEnumerable<GeneratedText> Drawn(List<Sequence> sequences, GenerationOptions options, IReadOnlyList<int> ends, int batchSize,
        CancellationToken cancellationToken)
    {
        var places = sequences.Index().ToDictionary(item => item.Item, item => item.Index);
        var texts = sequences.ToDictionary(sequence => sequence, _ => new System.Text.StringBuilder());
        foreach (var (sequence, piece) in Pieces(_decoder, Tokenizer, sequences, options, ends, batchSize, cancellationToken))
        {
            texts[sequence].Append(piece);
            if (sequence.Ending is not { } ending)
                continue;
            var (prompt, number) = Math.DivRem(places[sequence], options.NumReturnSequences);
            yield return new GeneratedText(prompt, number, texts[sequence].ToString(), [.. sequence.Tokens.Skip(sequence.Prompt.Count)],
                ending)
            {
                PromptTokens = (sequence.Source ?? sequence.Prompt).Count,
            };
        }
    }

    private IEnumerable<GeneratedText> Beams(List<Sequence> sequences, GenerationOptions options, IReadOnlyList<int> ends, int batchSize,
        CancellationToken cancellationToken)
    {
        bool IsAtStop(ReadOnlySpan<int> tokens) => TextPieces.HasStop(Tokenizer, options.Stop, tokens);
        foreach (var (prompt, texts) in new BeamSearch(_decoder, options, ends, IsAtStop).Search(sequences, batchSize, cancellationToken))
        {
            foreach (var (number, text) in texts.Index())
            {
                yield return new GeneratedText(prompt, number, TextOf(_decoder, Tokenizer, options, text.Tokens), text.Tokens, text.Ending)
                {
                    PromptTokens = (sequences[prompt].Source ?? sequences[prompt].Prompt).Count,
                    Score = text.Score,
                };
            }
        }
    }

    /// <summary>The settings, with what the model's own say where they leave it open.</summary>
    private GenerationOptions Complete(GenerationOptions? options, int? count = null)
    {
        options ??= Options;
        return options with
        {
            EosTokenIds = options.EosTokenIds ?? _config?.Options.EosTokenIds,
            DecoderStartTokenId = options.DecoderStartTokenId ?? _config?.Options.DecoderStartTokenId,
            NumReturnSequences = count ?? options.NumReturnSequences,
        };
    }

    private IEnumerable<T> Locked<T>(IEnumerable<T> items)
    {
        if (!_turn.Wait(0))
            throw new InvalidOperationException("the generator is writing another text: end that first, or use the asynchronous methods, "
                + "which wait");
        try
        {
            foreach (var item in items)
                yield return item;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Computes each item on the thread pool, when it is this caller's turn.</summary>
    private async IAsyncEnumerable<T> Alternating<T>(IEnumerable<T> items, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            using var enumerator = items.GetEnumerator();
            while (await Task.Run(enumerator.MoveNext, CancellationToken.None).ConfigureAwait(false))
                yield return enumerator.Current;
        }
        finally
        {
            _turn.Release();
        }
    }
}
