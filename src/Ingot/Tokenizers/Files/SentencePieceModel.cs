namespace Ingot.Tokenizers.Files;

/// <summary>What a SentencePiece .model file says, as far as encoding needs it: sentencepiece_model.proto, message ModelProto.</summary>
internal sealed class SentencePieceModel
{
    private const long LargestFile = 1L << 30;

    private readonly List<Piece> _pieces = [];

    /// <summary>What a piece is there for.</summary>
    public enum Kind
    {
        Normal = 1,
        Unknown = 2,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
        Byte = 6,
    }

    /// <summary>How text is written with pieces.</summary>
    public enum Algorithm
    {
        Unigram = 1,
        Bpe = 2,
        Word = 3,
        Char = 4,
    }

    public readonly record struct Piece(string Text, float Score, Kind Kind);

    /// <summary>The pieces by id.</summary>
    public IReadOnlyList<Piece> Pieces => _pieces;

    public Algorithm Type { get; private set; } = Algorithm.Unigram;

    /// <summary>Characters without a piece are written by their bytes.</summary>
    public bool ByteFallback { get; private set; }

    public int BosId { get; private set; } = 1;

    public int EosId { get; private set; } = 2;

    public int PadId { get; private set; } = -1;

    /// <summary>The character map of the normalizer; empty for none.</summary>
    public byte[] CharacterMap { get; private set; } = [];

    /// <summary>A space is put before a text.</summary>
    public bool AddsPrefix { get; private set; } = true;

    /// <summary>White space goes from the ends of a text, and is a single space inside.</summary>
    public bool RemovesExtraSpaces { get; private set; } = true;

    /// <summary>The id of the piece for what cannot be written.</summary>
    public int UnknownId { get; private set; } = -1;

    /// <summary>Reads and checks a file.</summary>
    /// <exception cref="InvalidDataException">It is damaged, or asks for what is not supported.</exception>
    public static SentencePieceModel Read(string path)
    {
        if (new FileInfo(path).Length is > LargestFile and var length)
        {
            throw new InvalidDataException($"It has {length:N0} bytes; more than 1 GiB is not read.");
        }

        return Parse(File.ReadAllBytes(path));
    }

    /// <summary>Reads and checks the message itself.</summary>
    /// <inheritdoc cref="Read"/>
    public static SentencePieceModel Parse(byte[] bytes)
    {
        var model = new SentencePieceModel();
        var message = new ProtoReader(bytes);
        while (message.Next(out var field))
        {
            switch (field)
            {
                case 1:
                    model.AddPiece(message.AsMessage());
                    break;
                case 2:
                    model.ReadTraining(message.AsMessage());
                    break;
                case 3:
                    model.ReadNormalizer(message.AsMessage());
                    break;
            }
        }

        model.Check();
        return model;
    }

    private void AddPiece(ProtoReader message)
    {
        var (text, score, kind) = ("", 0f, Kind.Normal);
        while (message.Next(out var field))
        {
            switch (field)
            {
                case 1:
                    text = message.AsText();
                    break;
                case 2:
                    score = message.AsFloat();
                    break;
                case 3:
                    kind = (Kind)message.AsInt32();
                    break;
            }
        }

        if (text.Length == 0 || !float.IsFinite(score) || !Enum.IsDefined(kind))
        {
            throw message.Error(
                $"the piece {_pieces.Count} (\"{text}\", score {score}, type {(int)kind}) has no text, no finite score or no known type");
        }

        _pieces.Add(new Piece(text, score, kind));
    }

    private void ReadTraining(ProtoReader message)
    {
        while (message.Next(out var field))
        {
            switch (field)
            {
                case 3:
                    Type = (Algorithm)message.AsInt32();
                    break;
                case 24 when message.AsFlag():
                    throw message.Error("white space as a suffix of words (treat_whitespace_as_suffix) is not supported");
                case 35:
                    ByteFallback = message.AsFlag();
                    break;
                case 41:
                    BosId = message.AsInt32();
                    break;
                case 42:
                    EosId = message.AsInt32();
                    break;
                case 43:
                    PadId = message.AsInt32();
                    break;
            }
        }
    }

    private void ReadNormalizer(ProtoReader message)
    {
        while (message.Next(out var field))
        {
            switch (field)
            {
                case 2:
                    CharacterMap = message.AsBytes().ToArray();
                    break;
                case 3:
                    AddsPrefix = message.AsFlag();
                    break;
                case 4:
                    RemovesExtraSpaces = message.AsFlag();
                    break;
                case 5 when !message.AsFlag():
                    throw message.Error("spaces that stay spaces (escape_whitespaces = false) are not supported");
            }
        }
    }

    private void Check()
    {
        if (Type is not (Algorithm.Unigram or Algorithm.Bpe))
        {
            throw new InvalidDataException($"Its type is {Type}; supported are Unigram and Bpe.");
        }

        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var (id, piece) in _pieces.Index())
        {
            if (!ids.TryAdd(piece.Text, id))
            {
                throw new InvalidDataException($"The piece \"{piece.Text}\" has the ids {ids[piece.Text]} and {id}.");
            }

            if (piece.Kind == Kind.Unused)
            {
                throw new InvalidDataException($"The piece \"{piece.Text}\" ({id}) is marked as unused, which is not supported.");
            }

            if (piece.Kind == Kind.Unknown)
            {
                UnknownId = UnknownId < 0 ? id
                    : throw new InvalidDataException($"There are two pieces for the unknown: {UnknownId} and {id}.");
            }
        }

        if (UnknownId < 0)
        {
            throw new InvalidDataException(
                _pieces.Count == 0 ? "It has no pieces: it is no SentencePiece model." : "It has no piece for the unknown.");
        }

        if (ByteFallback && Enumerable.Range(0, 256).FirstOrDefault(b => !ids.ContainsKey($"<0x{b:X2}>"), -1) is >= 0 and var missing)
        {
            throw new InvalidDataException($"It falls back to bytes, but has no piece <0x{missing:X2}>.");
        }
    }
}
